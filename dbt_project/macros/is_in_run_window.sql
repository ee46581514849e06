{#- What a run may see: from the opening baseline to the load's last date, so a date loaded again sees what it saw before. -#}
{% macro is_in_run_window(column) -%}
    {{ column }} between {{ run_date('opening_date') }} and {{ run_date('last_date') }}
{%- endmacro %}
