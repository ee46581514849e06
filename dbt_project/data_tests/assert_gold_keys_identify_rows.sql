-- The keys stated in models/staging/sources.yml, for the load's dates, all tables in one statement: a join to a table
-- with a doubled key would multiply money.
{% set tables = [
    'calendar',
    'customers',
    'customer_merges',
    'customer_reviews',
    'member_phones',
    'accounts',
    'quarantined_customers',
    'holdings',
    'offers_due',
    'repurchase_contracts',
    'order_charges',
    'agreed_rates',
    'targets',
    'advice_agreements',
    'advice_fees',
    'phone_consents',
    'calls',
    'open_complaints',
    'aml_grades',
    'institutions',
    'permissions',
    'applications',
    'trades',
    'fund_confirmations',
    'account_assets',
    'customer_assets',
    'credit_risks',
    'credit_contracts',
    'option_risks',
    'staff_relations',
    'branches',
    'employees',
    'freshness',
] %}
{% set keys = {} %}
{% if execute %}
    {% for node in graph.sources.values() %}
        {% do keys.update({node.name: node.config.meta.key}) %}
    {% endfor %}
{% endif %}

-- concat gives null as soon as one part is null, and count(distinct) leaves nulls out: a doubled key and a key with a
-- hole show as the same difference
with row_keys as (
    {% for table in tables %}
    select
        '{{ table }}' as table_name,
        concat({{ keys.get(table, ["''"]) | join(", '|', ") }}) as row_key
    from {{ source('gold', table) }}
    {% if table != 'calendar' %}
    where {{ is_loaded_date('business_date') }}
    {% endif %}
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

final as (
    select
        table_name,
        count(*) - count(distinct row_key) as row_count
    from row_keys
    group by table_name
)

select * from final
where row_count != 0
