with customer_merges as (
    select * from {{ ref('stg_gold__customer_merges') }}
),

final as (
    select
        business_date as as_of_date,
        customer_id,
        alias_customer_id,
        decided_date
    from customer_merges
    where customer_id != alias_customer_id
)

select * from final
