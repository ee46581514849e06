{#-
    Natural days at a date since the last trade. Who has never traded is inactive since the account was opened, as far back as the
    warehouse knows.
-#}
{% macro days_inactive(date_column) -%}
    datediff({{ date_column }}, coalesce(last_trade_date, greatest(open_date, {{ run_date('opening_date') }})))
{%- endmacro %}
